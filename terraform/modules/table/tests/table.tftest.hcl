mock_provider "aws" {
  source = "../../mocks"
}

variables {
  name        = "hantar-business"
  stream      = true
  kms_key_arn = "arn:aws:kms:ap-southeast-1:123456789012:key/11111111-2222-3333-4444-555555555555"
  disposable  = false
}

run "a_table_is_encrypted_recoverable_on_demand_and_protected" {
  command = plan

  assert {
    condition     = aws_dynamodb_table.this.billing_mode == "PAY_PER_REQUEST"
    error_message = "not on demand"
  }
  assert {
    condition     = aws_dynamodb_table.this.server_side_encryption[0].enabled && aws_dynamodb_table.this.server_side_encryption[0].kms_key_arn == var.kms_key_arn
    error_message = "not encrypted with our key"
  }
  assert {
    condition     = aws_dynamodb_table.this.point_in_time_recovery[0].enabled
    error_message = "no point-in-time recovery"
  }
  assert {
    condition     = aws_dynamodb_table.this.deletion_protection_enabled
    error_message = "can be deleted"
  }
}

run "a_table_is_what_the_store_expects" {
  command = plan

  assert {
    condition     = aws_dynamodb_table.this.hash_key == "pk" && aws_dynamodb_table.this.range_key == "sk" && tomap({ for attribute in aws_dynamodb_table.this.attribute : attribute.name => attribute.type }) == tomap({ pk = "S", sk = "S" })
    error_message = "other keys than shared/store/src/tables.rs makes"
  }
  assert {
    condition     = aws_dynamodb_table.this.ttl[0].enabled && aws_dynamodb_table.this.ttl[0].attribute_name == "ttl"
    error_message = "other time to live"
  }
  assert {
    condition     = length(aws_dynamodb_table.this.global_secondary_index) + length(aws_dynamodb_table.this.local_secondary_index) == 0
    error_message = "an index that every write would pay for"
  }
  assert {
    condition     = aws_dynamodb_table.this.stream_enabled && aws_dynamodb_table.this.stream_view_type == "NEW_AND_OLD_IMAGES"
    error_message = "the relay needs both images"
  }
}

run "only_a_table_that_is_to_have_a_stream_has_one" {
  command = plan
  variables {
    stream = false
  }

  assert {
    condition     = !aws_dynamodb_table.this.stream_enabled
    error_message = "a stream that nobody reads"
  }
}
