package main

import "github.com/spf13/cobra"

// configName is where the config is looked for if nothing else is said.
const configName = "config.yaml"

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "postern",
		Short: "A Matrix bridge for third-party chats",
		Long: "Postern connects the users of a Matrix homeserver with people on WhatsApp and Messenger, through the interop\n" +
			"interface that the EU Digital Markets Act makes these services offer.\n\nWithout a command it runs the bridge.",
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	run := newRun()
	root.RunE = run.RunE
	root.Flags().AddFlagSet(run.Flags())
	root.AddCommand(
		run,
		newInit(),
		newConfig(),
		newGatekeeper(),
		newKeys(),
		newExport(),
		newErase(),
		newUsers(),
		newSuspend(),
		newUnsuspend(),
		newAudit(),
		newAdmin(),
		newTrace(),
		newHealth(),
		newDoctor(),
		newBackup(),
		newRestore(),
		newDB(),
		newVersion(),
		newMan(),
	)
	return root
}
