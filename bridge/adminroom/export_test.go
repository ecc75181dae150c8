package adminroom

import "context"

// Bounds of what is told.
const (
	NewsWindow    = newsWindow
	NewsPause     = newsPause
	MaxNewsGroups = maxNewsGroups
)

// Load and Save are what Run does at its begin and its end.
func (r *Room) Load(ctx context.Context) { r.load(ctx) }
func (r *Room) Save(ctx context.Context) { r.save(ctx) }

// Groups is how many it remembers.
func (r *Room) Groups() int { return len(r.groups) }
