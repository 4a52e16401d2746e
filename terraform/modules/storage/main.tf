# What is too large for the tables: media, uploads to import, exports to fetch. One bucket, private, reached by presigned
# URLs and by the functions that read and make files. Names begin with the kind, which says for how long an object is kept.

data "aws_caller_identity" "this" {}

resource "aws_s3_bucket" "this" {
  bucket        = "${var.name}-blobs-${data.aws_caller_identity.this.account_id}"
  force_destroy = var.disposable
}

resource "aws_s3_bucket_ownership_controls" "this" {
  bucket = aws_s3_bucket.this.id
  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_public_access_block" "this" {
  bucket                  = aws_s3_bucket.this.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  bucket = aws_s3_bucket.this.id
  rule {
    bucket_key_enabled = true
    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = var.kms_key_arn
    }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "this" {
  bucket = aws_s3_bucket.this.id

  # The bucket's own rule: what is not ended is thrown away.
  rule {
    id     = "parts"
    status = "Enabled"
    filter {
      prefix = ""
    }
    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }

  dynamic "rule" {
    for_each = var.kept_days
    content {
      id     = rule.key
      status = "Enabled"
      filter {
        prefix = "${rule.key}/"
      }
      expiration {
        days = rule.value
      }
    }
  }
}

# Pages put files to the bucket, and fetch them from it.
resource "aws_s3_bucket_cors_configuration" "this" {
  count = length(var.origins) > 0 ? 1 : 0

  bucket = aws_s3_bucket.this.id
  cors_rule {
    allowed_methods = ["GET", "PUT"]
    allowed_origins = var.origins
    allowed_headers = ["content-type", "if-none-match"]
    max_age_seconds = 3600
  }
}

resource "aws_s3_bucket_policy" "this" {
  bucket = aws_s3_bucket.this.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "TlsOnly"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:*"
      Resource  = [aws_s3_bucket.this.arn, "${aws_s3_bucket.this.arn}/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })

  # Both change the bucket's access; S3 refuses two such changes at a time.
  depends_on = [aws_s3_bucket_public_access_block.this]
}
