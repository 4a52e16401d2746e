mock_provider "aws" {
  source = "../../mocks"
}

variables {
  name        = "hantar"
  kms_key_arn = "arn:aws:kms:ap-southeast-1:123456789012:key/data"
  disposable  = false
}

run "every_bucket_is_private_encrypted_and_emptied" {
  assert {
    condition     = toset(keys(aws_s3_bucket.this)) == toset(["media", "imports", "exports"]) && alltrue([for bucket in values(aws_s3_bucket.this) : !bucket.force_destroy])
    error_message = "other buckets, or such that are deleted with all they hold"
  }
  assert {
    condition = alltrue([
      for kind in keys(aws_s3_bucket.this) : aws_s3_bucket_public_access_block.this[kind].block_public_acls && aws_s3_bucket_public_access_block.this[kind].block_public_policy
      && aws_s3_bucket_public_access_block.this[kind].ignore_public_acls && aws_s3_bucket_public_access_block.this[kind].restrict_public_buckets
      && aws_s3_bucket_ownership_controls.this[kind].rule[0].object_ownership == "BucketOwnerEnforced"
    ])
    error_message = "a bucket could be made public"
  }
  assert {
    condition = alltrue([
      for kind in keys(aws_s3_bucket.this) : alltrue([
        for rule in aws_s3_bucket_server_side_encryption_configuration.this[kind].rule :
        rule.apply_server_side_encryption_by_default[0].sse_algorithm == "aws:kms" && rule.apply_server_side_encryption_by_default[0].kms_master_key_id == var.kms_key_arn && rule.bucket_key_enabled
      ])
    ])
    error_message = "not encrypted with our key"
  }
  assert {
    condition = alltrue([
      for kind in keys(aws_s3_bucket.this) : aws_s3_bucket_lifecycle_configuration.this[kind].rule[0].status == "Enabled"
      && aws_s3_bucket_lifecycle_configuration.this[kind].rule[0].expiration[0].days == var.kept_days[kind]
      && aws_s3_bucket_lifecycle_configuration.this[kind].rule[0].abort_incomplete_multipart_upload[0].days_after_initiation == 1
    ])
    error_message = "objects are kept for ever"
  }
  assert {
    condition     = alltrue([for policy in values(aws_s3_bucket_policy.this) : jsondecode(policy.policy).Statement[0].Effect == "Deny" && jsondecode(policy.policy).Statement[0].Condition.Bool["aws:SecureTransport"] == "false"])
    error_message = "takes plain text"
  }
}
