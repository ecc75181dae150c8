package gatekeeper

import (
	"errors"
	"io/fs"
	"net/http"
	"strconv"
	"time"
)

// serveMedia answers GET /v/t…: it hands an uploaded file out, whole or in part, to whoever knows its reference.
func (s *Server) serveMedia(w http.ResponseWriter, r *http.Request) {
	reference, ok := uploadedReference(r.URL.Path)
	if !ok {
		s.refuseMedia(w, "download", "", http.StatusNotFound)
		return
	}
	file, size, err := s.media.open(reference)
	if errors.Is(err, fs.ErrNotExist) {
		s.refuseMedia(w, "download", reference, http.StatusNotFound)
		return
	} else if err != nil {
		s.log.Err(err).Msg("Failed to read media")
		s.refuseMedia(w, "download", reference, http.StatusInternalServerError)
		return
	}
	defer file.Close()
	var spoiled spoiledMedia
	if r.Method == http.MethodGet && !byWhatsApp(r) {
		spoiled = s.faults.nextMedia()
	}
	answer := s.patient(w)
	note := func() { s.noteMedia("download", string(spoiled.fault), reference, answer.sent) }
	asFile(answer.Header())
	whole := true
	if spoiled.fault == "" {
		http.ServeContent(answer, r, "", time.Time{}, file)
	} else {
		whole = s.serveFaulty(answer, r, file, size, spoiled, note)
	}
	note()
	if !whole {
		panic(http.ErrAbortHandler)
	}
	answer.finish()
}

// byWhatsApp tells WhatsApp's own clients from those of partners: the former name where they come from.
func byWhatsApp(r *http.Request) bool { return r.Header.Get("Origin") != "" }

// asFile sets the headers of encrypted bytes.
func asFile(header http.Header) {
	header.Set("Content-Type", "application/octet-stream")
	header.Set("X-Content-Type-Options", "nosniff")
}

// refuseMedia answers a download with a status, and keeps a record of it.
func (s *Server) refuseMedia(w http.ResponseWriter, what, reference string, status int) {
	s.noteMedia(what, strconv.Itoa(status), reference, 0)
	http.Error(w, http.StatusText(status), status)
}
