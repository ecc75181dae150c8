package gatekeeper

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"
)

// uploadKinds are the kinds of files that chats have, as WhatsApp's clients name them in the path.
var uploadKinds = map[string]bool{"image": true, "video": true, "audio": true, "document": true, "thumbnail-link": true}

// uploadAnswer tells a client what to put into its message.
type uploadAnswer struct {
	URL        string `json:"url"`
	DirectPath string `json:"direct_path"`
	Handle     string `json:"handle"`
}

// serveUpload answers POST /mms/{kind}/{token}: a WhatsApp client stores an encrypted file. The token is the file's
// SHA-256 in base64url, in the path and in the query.
func (s *Server) serveUpload(w http.ResponseWriter, r *http.Request) {
	reference, size, status := s.storeUpload(w, r)
	if status != http.StatusOK {
		s.noteMedia("upload", strconv.Itoa(status), "", size)
		http.Error(w, http.StatusText(status), status)
		return
	}
	s.noteMedia("upload", "", reference, size)
	path := uploadedDirectPath(reference)
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(uploadAnswer{URL: s.URL() + path, DirectPath: path})
}

func (s *Server) storeUpload(w http.ResponseWriter, r *http.Request) (reference string, size int64, status int) {
	token, query := r.PathValue("token"), r.URL.Query()
	hash, err := base64.URLEncoding.DecodeString(token)
	switch {
	case !uploadKinds[r.PathValue("kind")]:
		return "", 0, http.StatusNotFound
	case query.Get("auth") != mediaAuth:
		return "", 0, http.StatusUnauthorized
	case err != nil || len(hash) != sha256.Size || query.Get("token") != token:
		return "", 0, http.StatusBadRequest
	case r.ContentLength > s.mediaLimits.size:
		return "", 0, http.StatusRequestEntityTooLarge
	}
	control := http.NewResponseController(w)
	defer func() { _ = control.SetReadDeadline(time.Time{}) }()
	body := patientReader{body: http.MaxBytesReader(w, r.Body, s.mediaLimits.size), control: control, stall: s.mediaLimits.stall}
	reference, size, err = s.media.put(body, [sha256.Size]byte(hash))
	var tooLarge *http.MaxBytesError
	switch {
	case err == nil:
		return reference, size, http.StatusOK
	case errors.As(err, &tooLarge):
		return "", size, http.StatusRequestEntityTooLarge
	case errors.Is(err, errMediaHash):
		return "", size, http.StatusBadRequest
	default:
		s.log.Err(err).Msg("Upload failed")
		return "", size, http.StatusInternalServerError
	}
}
