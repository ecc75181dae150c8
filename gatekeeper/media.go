package gatekeeper

import (
	"io"
	"net/http"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"

	"postern/gatekeeper/state"
)

// mediaLimits bound the transfer of a file, whoever brings it.
type mediaLimits struct {
	// size is that of the encrypted file, in bytes. WhatsApp's own documents go up to 2 GB; no test needs that.
	size int64
	// stall is how long a transfer may stand still. A whole one has no limit, as slow lines are no fault.
	stall time.Duration
}

var defaultMediaLimits = mediaLimits{size: 256 << 20, stall: 20 * time.Second}

const (
	// mediaAuth is what clients of ours upload with. It proves nothing but that they asked for it.
	mediaAuth = "sandbox"
	// mediaTTL is how long a client may use the answer about media hosts, in seconds.
	mediaTTL = 3600
)

// handleMediaConn tells where files are uploaded and downloaded: here.
func (c *session) handleMediaConn(*waBinary.Node) ([]waBinary.Node, error) {
	return []waBinary.Node{{
		Tag:     "media_conn",
		Attrs:   waBinary.Attrs{"auth": mediaAuth, "ttl": mediaTTL, "auth_ttl": mediaTTL, "max_buckets": "12"},
		Content: []waBinary.Node{{Tag: "host", Attrs: waBinary.Attrs{"hostname": c.server.publicAddress()}}},
	}}, nil
}

// noteMedia keeps a record of a transfer. outcome is what became of it, empty if nothing went wrong.
func (s *Server) noteMedia(what, outcome, reference string, size int64) {
	s.note(state.Saw{Kind: spaced("media "+what, outcome), ID: reference, Size: int(size)})
}

// patientReader reads a request's body and gives up when nothing comes for a while.
type patientReader struct {
	body    io.Reader
	control *http.ResponseController
	stall   time.Duration
}

func (r patientReader) Read(p []byte) (int, error) {
	_ = r.control.SetReadDeadline(time.Now().Add(r.stall))
	return r.body.Read(p)
}

// patientWriter writes an answer, counts the bytes of its body, and gives up when nobody takes them for a while.
type patientWriter struct {
	http.ResponseWriter
	control *http.ResponseController
	stall   time.Duration
	sent    int64
}

func (s *Server) patient(w http.ResponseWriter) *patientWriter {
	return &patientWriter{ResponseWriter: w, control: http.NewResponseController(w), stall: s.mediaLimits.stall}
}

func (w *patientWriter) Write(p []byte) (int, error) {
	_ = w.control.SetWriteDeadline(time.Now().Add(w.stall))
	n, err := w.ResponseWriter.Write(p)
	w.sent += int64(n)
	return n, err
}

// finish sends what is buffered, and takes back the deadline: the connection may serve other requests.
func (w *patientWriter) finish() {
	_ = w.control.Flush()
	_ = w.control.SetWriteDeadline(time.Time{})
}
