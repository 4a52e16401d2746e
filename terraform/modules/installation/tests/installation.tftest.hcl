mock_provider "aws" {
  source = "../../mocks"
}

variables {
  name                = "hantar"
  shards              = 64
  architecture        = "arm64"
  lambda_zip_folder   = "../../mocks/zips"
  requests_per_second = 500
  log_days            = 30
  disposable          = false
  host                = { cpu = 512, memory = 1024, min = 2, max = 100, devices_per_host = 1500 }
}

run "processes_are_led_to_what_was_made" {
  assert {
    condition = output.environment == {
      HANTAR_BUSINESS_TABLE = "hantar-business"
      HANTAR_ENGINE_TABLE   = "hantar-engine"
      HANTAR_QUEUE_PREFIX   = "hantar"
      HANTAR_SHARDS         = "64"
      HANTAR_KMS_KEY        = "arn:aws:kms:ap-southeast-1:123456789012:key/11111111-2222-3333-4444-555555555555"
      HANTAR_LOG            = "info"
    }
    error_message = "other variables"
  }
}

run "an_emulator_is_named_to_the_processes" {
  variables {
    endpoint = "http://127.0.0.1:4566"
  }

  assert {
    condition     = output.environment.HANTAR_AWS_ENDPOINT_URL == "http://127.0.0.1:4566" && output.alarm_pages["sweeps"] == "sweeps"
    error_message = "processes would go to AWS"
  }
}

run "nobody_outside_may_do_everything" {
  variables {
    worker = true
  }

  assert {
    condition = alltrue(flatten([
      for policy in [aws_iam_policy.operator.policy, aws_iam_user_policy.worker[0].policy] : [
        for statement in jsondecode(policy).Statement : concat(
          [for action in statement.Action : !strcontains(action, "*")],
          [for resource in statement.Resource : startswith(resource, "arn:")],
        )
      ]
    ]))
    error_message = "a policy with a wildcard"
  }
  assert {
    condition = alltrue([
      for statement in jsondecode(aws_iam_user_policy.worker[0].policy).Statement :
      statement.Resource == [module.secrets.data_key_arn]
      if anytrue([for action in statement.Action : startswith(action, "kms:")])
    ])
    error_message = "a Worker does not unwrap accounts' keys"
  }
  assert {
    condition = alltrue([
      for statement in jsondecode(aws_iam_user_policy.worker[0].policy).Statement :
      toset(statement.Action) == toset(["sqs:GetQueueUrl", "sqs:SendMessage"]) && toset(statement.Resource) == toset(concat(module.queues.shard_arns, [module.queues.arns.jobs]))
      if anytrue([for action in statement.Action : startswith(action, "sqs:")])
    ])
    error_message = "a Worker rings at shards for its commands and for long work, and does nothing else with queues"
  }
}

run "a_worker_gets_no_identity_unasked" {
  assert {
    condition     = length(aws_iam_user.worker) == 0
    error_message = "an identity that nobody uses"
  }
}
