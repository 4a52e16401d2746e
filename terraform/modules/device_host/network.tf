# Hosts only go out: to AWS and to WhatsApp. They have public addresses, because a NAT gateway costs ten times as much as the
# addresses of a small fleet, and nobody can come in by them: the security group has no ingress rule at all.

data "aws_region" "this" {}

data "aws_availability_zones" "this" {
  state = "available"
}

resource "aws_vpc" "this" {
  cidr_block           = var.address_range
  enable_dns_support   = true
  enable_dns_hostnames = true
  tags                 = { Name = "${var.name}-hosts" }
}

# What is not said otherwise is closed.
resource "aws_default_security_group" "this" {
  vpc_id = aws_vpc.this.id
  tags   = { Name = "${var.name}-nobody" }
}

resource "aws_subnet" "this" {
  count = 2

  vpc_id            = aws_vpc.this.id
  cidr_block        = cidrsubnet(var.address_range, 4, count.index)
  availability_zone = data.aws_availability_zones.this.names[count.index]
  tags              = { Name = "${var.name}-hosts-${count.index}" }
}

resource "aws_internet_gateway" "this" {
  vpc_id = aws_vpc.this.id
  tags   = { Name = "${var.name}-hosts" }
}

resource "aws_route_table" "this" {
  vpc_id = aws_vpc.this.id
  tags   = { Name = "${var.name}-hosts" }

  route {
    cidr_block = "0.0.0.0/0"
    gateway_id = aws_internet_gateway.this.id
  }
}

resource "aws_route_table_association" "this" {
  count = 2

  subnet_id      = aws_subnet.this[count.index].id
  route_table_id = aws_route_table.this.id
}

# Costs nothing, and keeps the tables' traffic within AWS.
resource "aws_vpc_endpoint" "dynamodb" {
  vpc_id          = aws_vpc.this.id
  service_name    = "com.amazonaws.${data.aws_region.this.name}.dynamodb"
  route_table_ids = [aws_route_table.this.id]
  tags            = { Name = "${var.name}-dynamodb" }
}

resource "aws_security_group" "host" {
  name        = "${var.name}-hosts"
  description = "Device hosts: out only"
  vpc_id      = aws_vpc.this.id
  tags        = { Name = "${var.name}-hosts" }
}

# WhatsApp and AWS speak TLS, and so do addresses that messages take files from, some of them on another port; names are resolved by the network's own resolver, which no security group filters.
resource "aws_vpc_security_group_egress_rule" "tls" {
  security_group_id = aws_security_group.host.id
  description       = "TLS to AWS and WhatsApp"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  cidr_ipv4         = "0.0.0.0/0"
}

resource "aws_vpc_security_group_egress_rule" "files" {
  security_group_id = aws_security_group.host.id
  description       = "TLS to files that messages carry"
  ip_protocol       = "tcp"
  from_port         = 8443
  to_port           = 8443
  cidr_ipv4         = "0.0.0.0/0"
}
