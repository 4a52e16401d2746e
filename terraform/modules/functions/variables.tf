variable "name" {
  description = "The installation's name."
  type        = string
}

variable "zip_folder" {
  description = "Where `cargo xtask package lambda` put api.zip, relay.zip, counts.zip, webhooks.zip, jobs.zip and timers.zip."
  type        = string
}

variable "architecture" {
  description = "What the zips were built for: arm64 or x86_64."
  type        = string

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "architecture: expected arm64 or x86_64."
  }
}

variable "environment" {
  description = "Variables of all functions."
  type        = map(string)
}

variable "environment_of" {
  description = "Further variables, by function."
  type        = map(map(string))
  default     = {}
}

variable "tables" {
  description = "ARNs of the tables business and engine, and of the business table's stream."
  type        = object({ business = string, engine = string, stream = string })
}

variable "queues" {
  description = "ARNs of the queues."
  type        = object({ shards = list(string), webhooks = string, jobs = string, parked = string, dead = string })
}

variable "bucket_arn" {
  description = "The bucket of large things."
  type        = string
}

variable "data_key_arn" {
  description = "The key that logs and the bucket are encrypted with."
  type        = string
}

variable "accounts_key_arn" {
  description = "The key that wraps accounts' data keys."
  type        = string
}

variable "mail_identities" {
  description = "ARNs of the identities of Amazon SES that letters come from; none where letters go another way."
  type        = list(string)
  default     = []
}

variable "log_days" {
  description = "For how many days logs are kept."
  type        = number
}

variable "webhook_concurrency" {
  description = "How many webhook functions run at a time at most; each makes up to ten calls."
  type        = number
  default     = 20
}
