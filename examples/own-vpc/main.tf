# A notebook in a network made in the same apply.

# Not every zone offers every type, and EC2 picks any zone for a subnet that names none.
data "aws_ec2_instance_type_offerings" "this" {
  location_type = "availability-zone"

  filter {
    name   = "instance-type"
    values = ["t3.large"]
  }
}

resource "aws_vpc" "this" {
  cidr_block           = "10.20.0.0/16"
  enable_dns_hostnames = true
}

resource "aws_internet_gateway" "this" {
  vpc_id = aws_vpc.this.id
}

resource "aws_subnet" "this" {
  vpc_id            = aws_vpc.this.id
  availability_zone = sort(data.aws_ec2_instance_type_offerings.this.locations)[0]
  cidr_block        = "10.20.1.0/24"
}

resource "aws_route_table" "this" {
  vpc_id = aws_vpc.this.id

  route {
    cidr_block = "0.0.0.0/0"
    gateway_id = aws_internet_gateway.this.id
  }
}

resource "aws_route_table_association" "this" {
  route_table_id = aws_route_table.this.id
  subnet_id      = aws_subnet.this.id
}

module "notebook" {
  source = "../.."

  subnet_id = aws_subnet.this.id

  # The machine fetches packages at its first boot, and an address may go only to a network that has
  # a gateway.
  depends_on = [aws_route_table_association.this]
}

output "url" {
  description = "Where the notebook answers."
  value       = module.notebook.url
}
