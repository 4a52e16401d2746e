variable "name" {
  description = "What everything's name begins with."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,20}$", var.name))
    error_message = "name: expected 2 to 21 small letters, digits and dashes, a letter first."
  }
}

variable "shards" {
  description = "Into how many parts the devices are split. Stored at the first start; never changed afterwards."
  type        = number
}

variable "architecture" {
  description = "What functions and hosts run on: arm64 or x86_64."
  type        = string
}

variable "lambda_zip_folder" {
  description = "Where `cargo xtask package lambda` put the zips."
  type        = string
}

variable "host" {
  description = "The device hosts: image (empty: `latest` in our repository), CPU units, MiB, how many at least and at most, devices for each."
  type = object({
    image            = optional(string, "")
    cpu              = number
    memory           = number
    min              = number
    max              = number
    devices_per_host = number
  })
}

variable "requests_per_second" {
  description = "How many API requests are let through in a second."
  type        = number
}

variable "domain" {
  description = "See the module edge."
  type        = object({ name = string, certificate_arn = string })
  default     = null
}

variable "cloudfront" {
  description = "See the module edge."
  type        = object({ aliases = optional(list(string), []), certificate_arn = optional(string) })
  default     = null
}

variable "worker" {
  description = "Whether an identity for a Cloudflare Worker is made. The Worker and its route are wrangler's (terraform/README.md)."
  type        = bool
  default     = false
}

variable "traces" {
  description = "Whether hosts send traces: to the address in the secret `otlp-url`, which must have a value before they start."
  type        = bool
  default     = false
}

variable "egress_allow" {
  description = "Address ranges that webhooks may reach beyond the public internet. For tests."
  type        = string
  default     = ""
}

variable "rate_limits" {
  description = "Requests per minute and caller; null: the program's own."
  type        = object({ reads = optional(number), writes = optional(number) })
  default     = {}
}

variable "mail" {
  description = "Whom letters come from, as `Hantar <hantar@example.com>`, and the ARNs of the identities that Amazon SES has verified for it; null: letters go to the log."
  type        = object({ from = string, identity_arns = list(string) })
  default     = null
}

variable "log_days" {
  description = "For how many days logs are kept."
  type        = number
}

variable "log_filter" {
  description = "What is logged (HANTAR_LOG)."
  type        = string
  default     = "info"
}

variable "alarm_emails" {
  description = "Who is told of alarms."
  type        = list(string)
  default     = []
}

variable "runbooks" {
  description = "Where the pages of infra/runbooks can be read."
  type        = string
  default     = "infra/runbooks"
}

variable "disposable" {
  description = "Whether all of it may be deleted with what it holds."
  type        = bool
}

variable "endpoint" {
  description = "An address that stands in for AWS; empty: AWS."
  type        = string
  default     = ""
}
