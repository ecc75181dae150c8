// Package baseline measures what a homeserver can do without a bridge: how many events it accepts from parallel
// senders, and how long an event takes from one user to another. The benchmarks set the bridge's figures beside these,
// measured on the same machine in the same run.
package baseline
