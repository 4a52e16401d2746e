mock_provider "aws" {
  source = "../../mocks"
}

variables {
  name       = "hantar"
  entries    = { "otlp-url" = "traces" }
  disposable = false
}

run "keys_are_rolled_over_and_slow_to_delete" {
  assert {
    condition     = alltrue([for key in [aws_kms_key.data, aws_kms_key.accounts] : key.enable_key_rotation && key.deletion_window_in_days == 30])
    error_message = "a key that stays the same, or is gone at once"
  }
}

run "administering_a_key_is_not_using_it" {
  assert {
    condition = alltrue(flatten([
      for key in [aws_kms_key.data, aws_kms_key.accounts] : [
        for statement in jsondecode(key.policy).Statement :
        [for action in statement.Action : action != "kms:*" && (statement.Sid != "Administration" || !contains(["kms:Decrypt", "kms:Encrypt", "kms:CreateGrant"], action))]
      ]
    ]))
    error_message = "too much in one hand"
  }
}

run "the_data_key_is_used_through_services_only" {
  assert {
    condition = alltrue([
      for statement in jsondecode(aws_kms_key.data.policy).Statement : can(statement.Condition)
      if statement.Sid != "Administration"
    ])
    error_message = "used without a condition"
  }
}

run "the_accounts_key_only_wraps_and_unwraps" {
  assert {
    condition     = [for statement in jsondecode(aws_kms_key.accounts.policy).Statement : statement.Action if statement.Sid == "ByIdentityPolicies"] == [["kms:Decrypt", "kms:Encrypt"]]
    error_message = "it can do more"
  }
}

run "secrets_are_encrypted_with_our_key_and_recoverable" {
  assert {
    condition     = aws_secretsmanager_secret.this["otlp-url"].name == "hantar/otlp-url" && aws_secretsmanager_secret.this["otlp-url"].kms_key_id == aws_kms_key.data.arn && aws_secretsmanager_secret.this["otlp-url"].recovery_window_in_days == 30
    error_message = "a secret under another key, or gone at once"
  }
}
