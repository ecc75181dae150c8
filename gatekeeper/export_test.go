package gatekeeper

import "time"

// SetMediaLimits changes how large a file may be, and how long a transfer may stand still. Nothing may be transferred
// meanwhile.
func (s *Server) SetMediaLimits(size int64, stall time.Duration) {
	s.mediaLimits = mediaLimits{size, stall}
}
