mock_provider "aws" {
  source = "../../mocks"
}

variables {
  name        = "hantar"
  kms_key_arn = "arn:aws:kms:ap-southeast-1:123456789012:key/data"
  disposable  = false
  origins     = ["https://api.example.com"]
}

run "the_bucket_is_private_and_encrypted" {
  assert {
    condition     = !aws_s3_bucket.this.force_destroy
    error_message = "a bucket that is deleted with all it holds"
  }
  assert {
    condition = (
      aws_s3_bucket_public_access_block.this.block_public_acls && aws_s3_bucket_public_access_block.this.block_public_policy
      && aws_s3_bucket_public_access_block.this.ignore_public_acls && aws_s3_bucket_public_access_block.this.restrict_public_buckets
      && aws_s3_bucket_ownership_controls.this.rule[0].object_ownership == "BucketOwnerEnforced"
    )
    error_message = "the bucket could be made public"
  }
  assert {
    condition = alltrue([
      for rule in aws_s3_bucket_server_side_encryption_configuration.this.rule :
      rule.apply_server_side_encryption_by_default[0].sse_algorithm == "aws:kms" && rule.apply_server_side_encryption_by_default[0].kms_master_key_id == var.kms_key_arn && rule.bucket_key_enabled
    ])
    error_message = "not encrypted with our key"
  }
  assert {
    condition     = jsondecode(aws_s3_bucket_policy.this.policy).Statement[0].Effect == "Deny" && jsondecode(aws_s3_bucket_policy.this.policy).Statement[0].Condition.Bool["aws:SecureTransport"] == "false"
    error_message = "takes plain text"
  }
}

run "every_kind_of_object_ends" {
  assert {
    condition = alltrue([
      for kind, days in var.kept_days : anytrue([
        for rule in aws_s3_bucket_lifecycle_configuration.this.rule :
        rule.status == "Enabled" && try(rule.filter[0].prefix, "") == "${kind}/" && try(rule.expiration[0].days, 0) == days
      ])
    ])
    error_message = "objects are kept for ever"
  }
  assert {
    condition = anytrue([
      for rule in aws_s3_bucket_lifecycle_configuration.this.rule : try(rule.abort_incomplete_multipart_upload[0].days_after_initiation, 0) == 1
    ])
    error_message = "parts of uploads that nobody ended are kept for ever"
  }
}

run "pages_of_this_installation_alone_reach_it" {
  assert {
    condition     = aws_s3_bucket_cors_configuration.this[0].cors_rule != null && alltrue([for rule in aws_s3_bucket_cors_configuration.this[0].cors_rule : rule.allowed_origins == toset(var.origins) && rule.allowed_methods == toset(["GET", "PUT"])])
    error_message = "other pages than ours"
  }
}

run "without_pages_nobody_needs_cors" {
  variables {
    origins = []
  }
  assert {
    condition     = length(aws_s3_bucket_cors_configuration.this) == 0
    error_message = "pages that are not there"
  }
}
