package page

import (
	"fmt"
	"net/http"
	"time"
)

const (
	// maxStreams is how many pages are kept up to date at once.
	maxStreams = 64
	// streamPause is the least time between two events: what happens meanwhile is told at once.
	streamPause = 50 * time.Millisecond
	// streamBeat is how often a stream says that it lives, so that one whose browser is gone ends.
	streamBeat = 20 * time.Second
)

// events tells a page whenever something changed, and nothing else: the page then asks for itself again.
func (p *Page) events(w http.ResponseWriter, r *http.Request) {
	opened := p.phones.Get("+" + r.PathValue("number"))
	if opened == nil {
		w.WriteHeader(http.StatusNoContent) // tells the browser not to try again
		return
	}
	select {
	case p.streams <- struct{}{}:
		defer func() { <-p.streams }()
	default:
		http.Error(w, "Too many pages are open.", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	stream := http.NewResponseController(w)
	beat := time.NewTicker(streamBeat)
	defer beat.Stop()
	for {
		// Taken before the page is told, so that nothing is missed between the page's request and the next event.
		change := opened.Change()
		if _, err := fmt.Fprint(w, "event: change\ndata:\n\n"); err != nil || stream.Flush() != nil {
			return
		}
		if !p.pause(r, streamPause) {
			return
		}
		for waiting := true; waiting; {
			select {
			case <-change:
				waiting = false
			case <-beat.C:
				if _, err := fmt.Fprint(w, ":\n\n"); err != nil || stream.Flush() != nil {
					return
				}
			case <-p.phones.Done():
				return
			case <-r.Context().Done():
				return
			}
		}
	}
}

// pause returns false if the stream ends.
func (p *Page) pause(r *http.Request, duration time.Duration) bool {
	timer := time.NewTimer(duration)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-p.phones.Done():
	case <-r.Context().Done():
	}
	return false
}
