package provider

import (
	"errors"
	"io"
	"net/http"
	"time"
)

// MediaPath is where hosted files are, below the issuer's URL; the reference follows. What is left of it without the
// slash at the end is the base URL that the gatekeeper is told: it fetches GET {base}/{storage_reference} [P].
const MediaPath = "/media/"

// mediaCache lets the gatekeeper's media host keep a file for a day, and nobody in between: a file that was swept shall
// be gone.
const mediaCache = "private, max-age=86400, immutable"

// mediaTag is the ETag of every file: what is under a reference never changes. It makes a broken fetch resumable.
const mediaTag = `"0"`

const (
	// mediaOpen is how long the store may take to open a file, with the answer after that. Over HTTP/2 the listener's time-out
	// would end the request meanwhile.
	mediaOpen = time.Minute
	// mediaStall is how long a client may take for one write, which is 32 KiB or less.
	mediaStall = 30 * time.Second
	// mediaPace is the slowest average that is served, in bytes a second. It is far below what servers do, and bounds
	// how long a client can hold a connection: 100 MiB for less than two hours.
	mediaPace = 16 << 10
)

// serveMedia answers GET and HEAD with the file, whole or in ranges. To who does not know a reference it answers like any
// other path.
func (p *Provider) serveMedia(w http.ResponseWriter, r *http.Request, reference string) {
	control := http.NewResponseController(w)
	file, err := p.openMedia(r, reference, control)
	if errors.Is(err, ErrNoMedia) {
		answer(w, http.StatusNotFound)
		return
	} else if err != nil {
		p.log.Err(err).Msg("Failed to open a hosted file")
		answer(w, http.StatusServiceUnavailable)
		return
	}
	defer file.Close()
	header := w.Header()
	header.Set("Content-Type", "application/octet-stream")
	header.Set("Cache-Control", mediaCache)
	header.Set("ETag", mediaTag)
	paced := &pacedWriter{ResponseWriter: w, control: control, start: time.Now()}
	http.ServeContent(paced, r, "", time.Time{}, file)
}

func (p *Provider) openMedia(r *http.Request, text string, control *http.ResponseController) (io.ReadSeekCloser, error) {
	if p.media == nil || r.Method != http.MethodGet && r.Method != http.MethodHead {
		return nil, ErrNoMedia
	}
	reference, err := ParseMediaReference(text)
	if err != nil {
		return nil, err
	}
	_ = control.SetWriteDeadline(time.Now().Add(mediaOpen)) // fails if the connection is gone, or is none
	return p.media.Open(r.Context(), reference)
}

// pacedWriter replaces the listener's time-out, which is made for small answers, by one that moves on while bytes flow. It uses the real clock, as connections do. It hides ReadFrom, which would send a file in a single step.
type pacedWriter struct {
	http.ResponseWriter
	control *http.ResponseController
	start   time.Time
	sent    int64
}

func (w *pacedWriter) Write(data []byte) (int, error) {
	deadline := w.start.Add(mediaStall + time.Duration(w.sent/mediaPace)*time.Second)
	if stalled := time.Now().Add(mediaStall); stalled.Before(deadline) {
		deadline = stalled
	}
	_ = w.control.SetWriteDeadline(deadline) // fails if the connection is gone, and then so does the write
	n, err := w.ResponseWriter.Write(data)
	w.sent += int64(n)
	return n, err
}
