package gatekeeper

import (
	"fmt"
	"regexp"
	"strconv"
)

// WhatsApp's clients append &hash=… and more to a direct path, which makes it a part of the path unless that has a query.
// References hold nothing that means something in a file name or a URL.
var (
	uploadedPath = regexp.MustCompile(`^/v/t[0-9][0-9.-]{0,31}/([A-Za-z0-9_-]{1,128})\.enc(?:&.*)?$`)
	partnersPath = regexp.MustCompile(`^/interop/([a-z]{1,16})/download/([1-9][0-9]{0,4})/([A-Za-z0-9_-]{1,128})/?(?:&.*)?$`)
)

// uploadedDirectPath is where clients find an uploaded file below a media host. The real ones have more in the query, which
// signs them.
func uploadedDirectPath(reference string) string {
	return fmt.Sprintf("/v/t62.7118-24/%s.enc?ccb=sandbox&oh=sandbox", reference)
}

// uploadedReference takes the path of a request apart that [uploadedDirectPath] made.
func uploadedReference(path string) (reference string, ok bool) {
	parts := uploadedPath.FindStringSubmatch(path)
	if parts == nil {
		return "", false
	}
	return parts[1], true
}

// partnersReference takes the path of a request for a partner's file apart.
func partnersReference(path string, product Product) (integrator uint16, reference string, ok bool) {
	parts := partnersPath.FindStringSubmatch(path)
	if parts == nil || parts[1] != string(product) {
		return 0, "", false
	}
	number, err := strconv.ParseUint(parts[2], 10, 16)
	return uint16(number), parts[3], err == nil
}
