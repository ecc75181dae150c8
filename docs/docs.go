// Package docs holds the documents of the HTTP interfaces for the tests, which have to run again when they change, and the document that
// the admin page takes its advice from.
package docs

import _ "embed"

// OpenAPI is openapi.yaml.
//
//go:embed openapi.yaml
var OpenAPI []byte

// Provisioning is openapi-provisioning.yaml.
//
//go:embed openapi-provisioning.yaml
var Provisioning []byte

// Troubleshooting is troubleshooting.md.
//
//go:embed troubleshooting.md
var Troubleshooting string
