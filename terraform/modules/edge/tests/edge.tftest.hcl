mock_provider "aws" {
  source = "../../mocks"
}

variables {
  name                = "hantar"
  function_name       = "hantar-api"
  invoke_arn          = "arn:aws:apigateway:ap-southeast-1:lambda:path/2015-03-31/functions/f/invocations"
  requests_per_second = 500
  burst               = 1000
  log_days            = 30
  data_key_arn        = "arn:aws:kms:ap-southeast-1:123456789012:key/data"
}

run "the_door_is_throttled_and_logged" {
  assert {
    condition     = aws_apigatewayv2_stage.this.default_route_settings[0].throttling_rate_limit == 500 && aws_apigatewayv2_stage.this.default_route_settings[0].throttling_burst_limit == 1000
    error_message = "not throttled"
  }
  assert {
    condition     = aws_apigatewayv2_stage.this.access_log_settings[0].destination_arn == aws_cloudwatch_log_group.access.arn && aws_cloudwatch_log_group.access.kms_key_id == var.data_key_arn && aws_cloudwatch_log_group.access.retention_in_days == 30
    error_message = "no access log, or one that is plain or kept for ever"
  }
  assert {
    condition     = !strcontains(aws_apigatewayv2_stage.this.access_log_settings[0].format, "path")
    error_message = "a path can hold a phone number"
  }
  assert {
    condition     = aws_apigatewayv2_integration.this.payload_format_version == "2.0"
    error_message = "the function reads payload 2.0"
  }
}

run "without_a_domain_the_own_address_is_used" {
  assert {
    condition     = output.public_url == "https://abc.execute-api.ap-southeast-1.amazonaws.com" && length(aws_apigatewayv2_domain_name.this) == 0 && !aws_apigatewayv2_api.this.disable_execute_api_endpoint && length(aws_cloudfront_distribution.this) == 0
    error_message = "not the plain door"
  }
}

run "with_a_domain_only_that_one_is_open" {
  variables {
    domain = { name = "api.example.com", certificate_arn = "arn:aws:acm:ap-southeast-1:123456789012:certificate/1" }
  }

  assert {
    condition     = aws_apigatewayv2_domain_name.this[0].domain_name_configuration[0].security_policy == "TLS_1_2" && length(aws_apigatewayv2_api_mapping.this) == 1
    error_message = "the domain leads nowhere"
  }
  assert {
    condition     = aws_apigatewayv2_api.this.disable_execute_api_endpoint && output.public_url == "https://api.example.com"
    error_message = "a second door"
  }
}

run "cloudfront_caches_nothing_and_takes_tls_only" {
  variables {
    cloudfront = { aliases = ["api.example.com"], certificate_arn = "arn:aws:acm:us-east-1:123456789012:certificate/1" }
  }

  assert {
    condition     = aws_cloudfront_distribution.this[0].default_cache_behavior[0].viewer_protocol_policy == "https-only" && aws_cloudfront_distribution.this[0].viewer_certificate[0].minimum_protocol_version == "TLSv1.2_2021"
    error_message = "plain text, or old TLS"
  }
  assert {
    condition     = data.aws_cloudfront_cache_policy.none[0].name == "Managed-CachingDisabled" && aws_cloudfront_distribution.this[0].default_cache_behavior[0].cache_policy_id == data.aws_cloudfront_cache_policy.none[0].id
    error_message = "somebody's answer is kept for others"
  }
  assert {
    condition     = output.public_url == "https://api.example.com"
    error_message = "callers are sent past it"
  }
}

run "a_name_of_our_own_needs_a_certificate" {
  command = plan
  variables {
    cloudfront = { aliases = ["api.example.com"] }
  }
  expect_failures = [var.cloudfront]
}
