// Package docs holds the document of the HTTP interface for the tests, which have to run again when it changes.
package docs

import _ "embed"

// OpenAPI is openapi.yaml.
//
//go:embed openapi.yaml
var OpenAPI []byte
