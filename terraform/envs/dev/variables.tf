variable "name" {
  description = "What everything's name begins with."
  type        = string
  default     = "hantar-dev"
}

variable "region" {
  description = "The AWS region."
  type        = string
  default     = "ap-southeast-1"
}

variable "architecture" {
  description = "What functions and hosts run on: arm64 or x86_64."
  type        = string
  default     = "arm64"
}

variable "lambda_zip_folder" {
  description = "Where `cargo xtask package lambda` put the zips."
  type        = string
}

variable "host_image" {
  description = "The device host's image; empty: `latest` in the repository made here."
  type        = string
  default     = ""
}

variable "endpoint" {
  description = "An emulator's address; empty: AWS."
  type        = string
  default     = ""
}

variable "egress_allow" {
  description = "Address ranges that webhooks may reach beyond the public internet."
  type        = string
  default     = ""
}

variable "rate_limits" {
  description = "Requests per minute and caller; null: the program's own."
  type        = object({ reads = optional(number), writes = optional(number) })
  default     = {}
}

variable "log_filter" {
  description = "What is logged (HANTAR_LOG)."
  type        = string
  default     = "info"
}

variable "traces" {
  description = "Whether hosts send traces."
  type        = bool
  default     = false
}

variable "worker" {
  description = "Whether an identity for a Cloudflare Worker is made."
  type        = bool
  default     = false
}

variable "mail" {
  description = "Whom letters come from, and the ARNs of the identities that Amazon SES has verified for it; null: they go to the log."
  type        = object({ from = string, identity_arns = list(string) })
  default     = null
}
