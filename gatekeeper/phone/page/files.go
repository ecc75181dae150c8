package page

import (
	"bytes"
	"context"
	"errors"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	"postern/gatekeeper/phone"
)

const (
	// maxDownloads is how many files are fetched at once; each may be as large as phone.MaxDownload, in memory.
	maxDownloads = 4
	// downloadTimeout bounds waiting for one's turn and fetching.
	downloadTimeout = time.Minute
)

// shownTypes are the files that a browser shows in the page: it runs nothing in them. All others it saves.
var shownTypes = []string{
	"image/jpeg", "image/png", "image/gif", "image/webp", "audio/ogg", "audio/mpeg", "audio/mp4", "audio/x-m4a", "audio/aac", "audio/wav",
	"audio/flac", "audio/amr", "video/mp4", "video/webm", "video/ogg", "application/ogg",
}

// file serves a message's file. Its type is what the content is, whatever the sender says.
func (p *Page) file(w http.ResponseWriter, r *http.Request) {
	opened := p.phones.Get("+" + r.PathValue("number"))
	if opened == nil {
		http.NotFound(w, r)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), downloadTimeout)
	defer cancel()
	select {
	case p.downloads <- struct{}{}:
		defer func() { <-p.downloads }()
	case <-ctx.Done():
		http.Error(w, "Too many files at once.", http.StatusServiceUnavailable)
		return
	}
	content, kind, label, err := opened.File(ctx, r.PathValue("chat"), messageNumber(r))
	switch {
	case errors.Is(err, phone.ErrNoFile):
		http.NotFound(w, r)
		return
	case err != nil:
		p.log.Warn().Err(err).Msg("Phone page cannot show a file")
		http.Error(w, "This file cannot be had.", http.StatusBadGateway)
		return
	}
	kind, _, _ = strings.Cut(kind, ";")
	disposition := "inline"
	if !slices.Contains(shownTypes, kind) {
		kind, disposition = "application/octet-stream", "attachment"
	}
	header := w.Header()
	header.Set("Content-Type", kind)
	header.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	header.Set("Cache-Control", "private, max-age=86400, immutable")
	if label != "" {
		disposition = mime.FormatMediaType(disposition, map[string]string{"filename": label})
	}
	header.Set("Content-Disposition", disposition)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
}
