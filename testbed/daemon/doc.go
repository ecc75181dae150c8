// Package daemon sets Postern up the way an admin does, with `postern init`, and runs it as a process of its own.
package daemon
