package gatekeeper

import "time"

const MaxMedia = maxMedia

// SetMediaStall changes how long a transfer may stand still. Nothing may be transferred meanwhile.
func (s *Server) SetMediaStall(stall time.Duration) { s.mediaStall = stall }
