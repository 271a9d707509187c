#!/bin/sh
# The mobile node of the deployment example, with the keys of ihad.yaml and xhad.yaml: the tests' own,
# build/test/mn/mn. Options that follow the script's name come behind these, and outdo them.
exec mn --home-address 10.50.0.7 --internal-agent 10.0.0.2 --internal-spi 256 \
	--internal-algorithm hmac-sha256 \
	--internal-key 5bd1e995a1c7f03c8d26b40e9377ac18f2d40b6e81c35a97e60fd4127b893ac5 \
	--external-home-address 172.31.0.7 --external-agent 198.51.100.2 --external-spi 300 \
	--external-algorithm hmac-sha256 \
	--external-key c47a10f85e3b926d07f1a8c25394be6d18f0573ac9e2461b8d7035fe92a6c4b1 \
	--route 10.0.0.0/8 --vici /run/charon.vici --control /run/mn.sock "$@"
