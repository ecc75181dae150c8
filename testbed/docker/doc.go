// Package docker proves the Dockerfile and the compose files: `make test-docker` builds the images and lets two people talk in each
// installation. It needs a Docker engine, so it is not part of `make test`. base-images makes what the images are made from
// where no registry can be reached.
package docker
