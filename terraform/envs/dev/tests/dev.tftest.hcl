mock_provider "aws" {
  source = "../../mocks"
}

variables {
  lambda_zip_folder = "../../mocks/zips"
}

run "without_an_endpoint_it_goes_to_aws" {
  assert {
    condition     = output.environment.HANTAR_SHARDS == "4" && !can(output.environment.HANTAR_AWS_ENDPOINT_URL)
    error_message = "not AWS"
  }
}
