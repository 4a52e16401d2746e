mock_provider "aws" {
  source = "../../mocks"
}

variables {
  region            = "ap-southeast-1"
  lambda_zip_folder = "../../mocks/zips"
  host_image        = "123456789012.dkr.ecr.ap-southeast-1.amazonaws.com/hantar@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
  alarm_emails      = ["owner@example.com"]
  domain            = { name = "api.example.com", certificate_arn = "arn:aws:acm:ap-southeast-1:123456789012:certificate/1" }
  traces            = true
  worker            = true
}

run "production_has_64_shards_and_its_own_domain" {
  assert {
    condition     = output.environment.HANTAR_SHARDS == "64" && !can(output.environment.HANTAR_AWS_ENDPOINT_URL)
    error_message = "not production"
  }
  assert {
    condition     = output.api_url == "https://api.example.com"
    error_message = "another address"
  }
}

run "an_image_is_named_by_its_digest" {
  command = plan
  variables {
    host_image = "hantar:latest"
  }
  expect_failures = [var.host_image]
}
