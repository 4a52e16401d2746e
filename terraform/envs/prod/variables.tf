variable "name" {
  description = "What everything's name begins with."
  type        = string
  default     = "hantar"
}

variable "region" {
  description = "The AWS region."
  type        = string
}

variable "lambda_zip_folder" {
  description = "Where `cargo xtask package lambda --arch arm64` put the zips."
  type        = string
}

variable "host_image" {
  description = "The device host's image, by digest: …@sha256:…"
  type        = string

  validation {
    condition     = can(regex("@sha256:[0-9a-f]{64}$", var.host_image))
    error_message = "host_image: expected an image by digest (…@sha256:…), so that every host runs the same."
  }
}

variable "hosts_max" {
  description = "How many hosts there are at most."
  type        = number
  default     = 16
}

variable "requests_per_second" {
  description = "How many API requests are let through in a second."
  type        = number
  default     = 500
}

variable "domain" {
  description = "The API's own domain, with a certificate in the region."
  type        = object({ name = string, certificate_arn = string })
  default     = null
}

variable "cloudfront" {
  description = "A CloudFront distribution before the API."
  type        = object({ aliases = optional(list(string), []), certificate_arn = optional(string) })
  default     = null
}

variable "traces" {
  description = "Whether hosts send traces. The secret `{name}/otlp-url` must have its value before they start."
  type        = bool
  default     = false
}

variable "worker" {
  description = "Whether an identity for a Cloudflare Worker is made."
  type        = bool
  default     = false
}

variable "alarm_emails" {
  description = "Who is told of alarms."
  type        = list(string)
}

variable "runbooks" {
  description = "Where the pages of infra/runbooks can be read."
  type        = string
  default     = "infra/runbooks"
}

variable "mail" {
  description = "Whom letters come from, and the ARNs of the identities that Amazon SES has verified for it; null: they go to the log."
  type        = object({ from = string, identity_arns = list(string) })
  default     = null
}
