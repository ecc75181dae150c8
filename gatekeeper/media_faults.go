package gatekeeper

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"strconv"
)

// mediaFault is what goes wrong with a partner's download of an uploaded file. The empty one is none.
type mediaFault string

const (
	mediaTruncated mediaFault = "truncate"    // the connection ends in the middle
	mediaFlipped   mediaFault = "flip"        // one bit is not what it was
	mediaMissing   mediaFault = "missing"     // 404
	mediaLonger    mediaFault = "lie-longer"  // there is more than the message says
	mediaShorter   mediaFault = "lie-shorter" // there is less
	mediaSlow      mediaFault = "slow"        // nothing more comes after the first half
	mediaError     mediaFault = "error"       // 503

	// lieSize is by how many bytes a file is longer or shorter: one block of the cipher, so that the length looks possible.
	lieSize = 16
)

var mediaFaults = map[mediaFault]bool{
	"": true, mediaTruncated: true, mediaFlipped: true, mediaMissing: true, mediaLonger: true, mediaShorter: true, mediaSlow: true, mediaError: true,
}

// setMedia makes the next downloads of partners go wrong. Downloads that stand still because of the fault before go on.
func (f *faults) setMedia(fault mediaFault, times int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.mediaLifted != nil {
		close(f.mediaLifted)
	}
	f.media, f.mediaLeft, f.mediaLifted = fault, times, make(chan struct{})
}

// spoiledMedia is what goes wrong with one download. lifted is closed when another fault is set.
type spoiledMedia struct {
	fault  mediaFault
	lifted <-chan struct{}
}

// nextMedia returns what is to go wrong with a download, and counts it.
func (f *faults) nextMedia() spoiledMedia {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.mediaLeft == 0 {
		return spoiledMedia{}
	}
	f.mediaLeft--
	return spoiledMedia{f.media, f.mediaLifted}
}

// controlMediaFault makes the next downloads of partners go wrong.
func (s *Server) controlMediaFault(r *http.Request) (any, error) {
	request := struct {
		Mode  mediaFault `json:"mode"`
		Times int        `json:"times"`
	}{Times: 1}
	if err := readControl(r, &request); err != nil {
		return nil, err
	} else if !mediaFaults[request.Mode] || request.Times < 0 || request.Times > maxFaultCount {
		return nil, badRequest("mode must be a known fault, times from 0 on")
	}
	s.faults.setMedia(request.Mode, request.Times)
	return nil, nil
}

// controlForgetMedia removes all uploaded files, as if they had expired.
func (s *Server) controlForgetMedia(*http.Request) (any, error) {
	removed, err := s.media.dropAll()
	if err != nil {
		return nil, err
	}
	return map[string]int{"files": removed}, nil
}

// serveFaulty answers with a file that has the fault. What the headers say is true of what is sent, unless the answer ends
// in the middle: then whole is false, and the connection has to be cut. standing is called when nothing more comes.
func (s *Server) serveFaulty(
	w *patientWriter, r *http.Request, file *os.File, size int64, spoiled spoiledMedia, standing func(),
) (whole bool) {
	half := size / 2
	send := func(size int64, content ...io.Reader) {
		w.Header().Set("Content-Length", strconv.FormatInt(size, 10))
		_, _ = io.Copy(w, io.MultiReader(content...))
	}
	switch spoiled.fault {
	case mediaMissing:
		http.Error(w, http.StatusText(http.StatusNotFound), http.StatusNotFound)
	case mediaError:
		http.Error(w, http.StatusText(http.StatusServiceUnavailable), http.StatusServiceUnavailable)
	case mediaFlipped:
		send(size, io.NewSectionReader(file, 0, half), flippedByte(file, half), io.NewSectionReader(file, half+1, size))
	case mediaLonger:
		send(size+lieSize, file, bytes.NewReader(make([]byte, lieSize)))
	case mediaShorter:
		shorter := max(0, size-lieSize)
		send(shorter, io.LimitReader(file, shorter))
	case mediaTruncated:
		send(size, io.LimitReader(file, half))
		w.finish()
		return false
	case mediaSlow:
		send(size, io.LimitReader(file, half))
		w.finish()
		standing()
		select {
		case <-spoiled.lifted:
			send(size, file)
		case <-r.Context().Done():
			return false
		case <-s.quit:
			return false
		}
	}
	return true
}

// flippedByte reads one byte of the file, with its lowest bit changed; none if the file ends before.
func flippedByte(file io.ReaderAt, at int64) io.Reader {
	var content [1]byte
	n, _ := file.ReadAt(content[:], at)
	content[0] ^= 1
	return bytes.NewReader(content[:n])
}
