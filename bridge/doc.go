// Package bridge is the daemon: it connects users of one Matrix homeserver to the gatekeepers that they enlisted with.
//
//	cfg, err := config.Load(path, os.Getenv)
//	daemon, err := bridge.New(ctx, cfg, version, log)
//	err = daemon.Run(ctx) // returns when ctx ends and everything has stopped
//
// It owns the process: the config, the database, start and stop, the listeners, the log, what the admin page shows, and whether all is well.
// Users, chats and messages are package connector's, which it puts together with bridgev2, the homeserver and the partner server. What an
// admin does beside a daemon that runs is here too: [Backup], [ExportUser], [SuspendUser] and their like open the database of a config.
package bridge
