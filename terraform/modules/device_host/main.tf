# The fleet of processes that hold the sockets: an ECS service on Fargate. Hosts share the shards among themselves, so all
# that is said here is how many there are, and how one follows another.

resource "aws_ecr_repository" "this" {
  name                 = "${var.name}-device-host"
  image_tag_mutability = "MUTABLE"
  force_delete         = var.disposable

  image_scanning_configuration {
    scan_on_push = true
  }

  encryption_configuration {
    encryption_type = "KMS"
  }
}

resource "aws_ecr_lifecycle_policy" "this" {
  repository = aws_ecr_repository.this.name
  policy = jsonencode({
    rules = [{
      rulePriority = 1
      description  = "the last 20 images"
      selection    = { tagStatus = "any", countType = "imageCountMoreThan", countNumber = 20 }
      action       = { type = "expire" }
    }]
  })
}

resource "aws_cloudwatch_log_group" "this" {
  name              = "/ecs/${var.name}-device-host"
  retention_in_days = var.log_days
  kms_key_id        = var.data_key_arn
}

resource "aws_ecs_cluster" "this" {
  name = var.name

  setting {
    # The hosts say themselves how they stand (scaling.tf); Container Insights would cost more than all other metrics.
    name  = "containerInsights"
    value = "disabled"
  }
}

locals {
  image = var.image == "" ? "${aws_ecr_repository.this.repository_url}:latest" : var.image

  container = {
    name      = "device-host"
    image     = local.image
    essential = true
    user      = "65532:65532"
    # It leaves within 25 s of SIGTERM.
    stopTimeout            = 30
    readonlyRootFilesystem = true
    environment            = [for name, value in var.environment : { name = name, value = value }]
    secrets                = [for name, arn in var.secrets : { name = name, valueFrom = arn }]

    linuxParameters = {
      initProcessEnabled = false
      capabilities       = { drop = ["ALL"] }
    }

    # A socket for each device, and some.
    ulimits = [{ name = "nofile", softLimit = 65536, hardLimit = 65536 }]

    logConfiguration = {
      logDriver = "awslogs"
      options = {
        "awslogs-group"         = aws_cloudwatch_log_group.this.name
        "awslogs-region"        = data.aws_region.this.name
        "awslogs-stream-prefix" = "host"
        # A host must go on when its logs cannot be taken.
        "mode" = "non-blocking"
      }
    }
  }
}

resource "aws_ecs_task_definition" "this" {
  family                   = "${var.name}-device-host"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = var.cpu
  memory                   = var.memory
  task_role_arn            = aws_iam_role.task.arn
  execution_role_arn       = aws_iam_role.execution.arn
  container_definitions    = jsonencode([local.container])

  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = var.architecture == "arm64" ? "ARM64" : "X86_64"
  }
}

resource "aws_ecs_service" "this" {
  name            = "${var.name}-device-host"
  cluster         = aws_ecs_cluster.this.id
  task_definition = aws_ecs_task_definition.this.arn
  desired_count   = var.hosts.min
  launch_type     = "FARGATE"
  propagate_tags  = "SERVICE"

  # New hosts take shards before old ones leave.
  deployment_minimum_healthy_percent = 100
  deployment_maximum_percent         = 200

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  network_configuration {
    subnets          = aws_subnet.this[*].id
    security_groups  = [aws_security_group.host.id]
    assign_public_ip = true
  }

  lifecycle {
    # The scaling below counts the hosts. The emulator does not answer with the other one.
    ignore_changes = [availability_zone_rebalancing, desired_count]
  }

  depends_on = [aws_iam_role_policy.task, aws_iam_role_policy.execution]
}
