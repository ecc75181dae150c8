// Package trace follows one message through the daemon's log, whichever of its two formats it has.
//
// A message has an id on each side: that of its Matrix event and the one in the chat channel. Lines of the log have one of
// them or both; those with both say which belong together:
//
//	sources, err := trace.Files("postern.log")
//	story, err := trace.Follow("$event", sources)
//	for _, line := range story.Lines { ... }
//
// A log may hold what others wrote, as part of ids and of errors, so everything that is read is bounded.
package trace
