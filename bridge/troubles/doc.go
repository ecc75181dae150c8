// Package troubles keeps the latest warnings and errors of the log in memory, and knows from the troubleshooting page what helps:
//
//	recent := troubles.NewRecent(time.Now)
//	log := zerolog.New(zerolog.MultiLevelWriter(os.Stderr, recent))
//	remedies := troubles.ReadRemedies(docs.Troubleshooting)
//	for _, trouble := range recent.All() {
//		fmt.Println(trouble.Message, remedies.For(trouble.Message, trouble.Error))
//	}
package troubles
