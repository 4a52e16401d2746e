variable "name" {
  description = "The installation's name."
  type        = string
}

variable "function_name" {
  description = "The function that answers."
  type        = string
}

variable "invoke_arn" {
  description = "How the HTTP API calls it."
  type        = string
}

variable "requests_per_second" {
  description = "How many requests are let through in a second, over all callers. Accounts have limits of their own."
  type        = number
}

variable "burst" {
  description = "How many requests may come at once."
  type        = number
}

variable "log_days" {
  description = "For how many days access logs are kept."
  type        = number
}

variable "data_key_arn" {
  description = "The key that access logs are encrypted with."
  type        = string
}

variable "domain" {
  description = "An own domain for the API: its name, and the ARN of a certificate in the API's region. Point the name at the output `domain_target`."
  type        = object({ name = string, certificate_arn = string })
  default     = null
}

variable "cloudfront" {
  description = "A CloudFront distribution before the API, for TLS near the callers. `aliases` with a certificate in us-east-1, or none."
  type        = object({ aliases = optional(list(string), []), certificate_arn = optional(string) })
  default     = null

  validation {
    condition     = try(length(var.cloudfront.aliases) == 0 || var.cloudfront.certificate_arn != null, true)
    error_message = "cloudfront: expected a certificate_arn with aliases."
  }
}
