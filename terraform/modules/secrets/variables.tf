variable "name" {
  description = "The installation's name."
  type        = string
}

variable "entries" {
  description = "Secrets that processes read: name to description. Their values are put by a person, never by Terraform."
  type        = map(string)
}

variable "disposable" {
  description = "Whether keys and secrets may be deleted soon."
  type        = bool
}
