package transcode

import "time"

// WithLimits is the same tool with other limits and with slots of its own. 0 keeps a limit.
func (t *Tool) WithLimits(output int64, duration time.Duration) *Tool {
	other := *t
	other.slots = make(chan struct{}, Slots)
	if output > 0 {
		other.limits.output = output
	}
	if duration > 0 {
		other.limits.time = duration
	}
	return &other
}

// ParseReport is parseReport with its fields in a row.
func ParseReport(output []byte) (width, height int, frames int64, duration time.Duration) {
	said := parseReport(output)
	return said.width, said.height, said.frames, said.duration
}

var (
	ParseEncoders, ParseVersion = parseEncoders, parseVersion
	FilmDuration                = filmDuration
)
