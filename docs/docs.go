// Package docs holds the documents of the HTTP interfaces for the tests, which have to run again when they change, and the document that
// the admin page takes its advice from.
package docs

import "embed"

// Pages are the documents in Markdown, by the names of their files. Only tests read them, so the linker leaves them out of the program.
//
//go:embed *.md
var Pages embed.FS

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
