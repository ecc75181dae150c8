// Package contract holds the partner server and the sandbox gatekeeper to docs/openapi.yaml, and the bridge's provisioning interface to
// docs/openapi-provisioning.yaml. Each stands behind a proxy that compares every
// request and every answer with the document, those between the two servers as well. What is documented and never happens in the
// tests is an error too.
package contract
