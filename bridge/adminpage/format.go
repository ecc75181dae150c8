package adminpage

import (
	"fmt"
	"html/template"
	"net/url"
	"time"
)

// functions are what the templates can call. Times are UTC, as in the log and in `postern audit`.
func (p *Page) functions() template.FuncMap {
	return template.FuncMap{
		"machine":  func(at time.Time) string { return at.UTC().Format(time.RFC3339) },
		"when":     func(at time.Time) string { return at.UTC().Format("2006-01-02 15:04") },
		"clock":    func(at time.Time) string { return at.UTC().Format("15:04") },
		"since":    func(at time.Time) string { return roughly(p.now().Sub(at)) },
		"userPage": func(user string) string { return "/user?" + url.Values{"id": {user}}.Encode() },
		"sections": func() []section { return sections },
	}
}

// section is an entry of the navigation.
type section struct{ Path, Name string }

var sections = []section{{"/", "Overview"}, {"/users", "Users"}, {"/errors", "Errors"}, {"/doctor", "Doctor"}, {"/audit", "Audit log"}}

// roughly writes how long something took.
func roughly(duration time.Duration) string {
	for _, unit := range []struct {
		size time.Duration
		name string
	}{{24 * time.Hour, "days"}, {time.Hour, "hours"}, {time.Minute, "minutes"}} {
		if duration >= 2*unit.size {
			return fmt.Sprintf("%d %s", duration/unit.size, unit.name)
		}
	}
	return fmt.Sprintf("%d seconds", max(0, duration/time.Second))
}
