package gatekeeper

import "time"

// SetMediaLimits changes how large a file may be, and how long a transfer may stand still. Nothing may be transferred
// meanwhile.
func (s *Server) SetMediaLimits(size int64, stall time.Duration) {
	s.mediaLimits = mediaLimits{size, stall}
}

// SetPushTimes changes how long pauses between pushes are. It is called before the first one.
func (s *Server) SetPushTimes(quiet, retry time.Duration) { s.pushes.times = pushTimes{quiet, retry} }
