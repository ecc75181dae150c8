package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// newMan makes the command that writes the manual pages, for those who make packages.
func newMan() *cobra.Command {
	return &cobra.Command{
		Use:    "man DIRECTORY",
		Short:  "Write the manual pages of all commands to a folder, which is made if it is not there",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return fmt.Errorf("failed to make the folder for the manual: %w", err)
			}
			root := command.Root()
			root.DisableAutoGenTag = true // it holds the day, and the same program makes the same pages
			header := &doc.GenManHeader{Title: "POSTERN", Section: "1", Source: "Postern", Manual: "Postern"}
			if err := doc.GenManTree(root, header, args[0]); err != nil {
				return fmt.Errorf("failed to write the manual: %w", err)
			}
			return nil
		},
	}
}
