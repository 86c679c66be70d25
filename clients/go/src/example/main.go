// Sign in, deploy an app, follow it, back it up, restore it and delete it.
package main

import (
	"fmt"
	"log"
	"os"
	"time"

	"platform"
	apps "proximity/apps/v1"
	backups "proximity/backups/v1"
)

func main() {
	log.SetFlags(0)
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() error {
	var ca []byte
	if file := os.Getenv("PROXIMITY_CA"); file != "" {
		var err error
		if ca, err = os.ReadFile(file); err != nil {
			return err
		}
	}
	client, err := platform.Connect(setting("PROXIMITY_URL", "http://127.0.0.1:8000"), ca)
	if err != nil {
		return err
	}
	defer client.Close()
	if err := client.Login(setting("PROXIMITY_USERNAME", "admin"), os.Getenv("PROXIMITY_PASSWORD")); err != nil {
		return err
	}
	id, last, err := deploy(client, setting("PROXIMITY_HOSTNAME", "go-01"))
	if err != nil {
		return err
	}
	number, last, err := backUp(client, id, last)
	if err != nil {
		return err
	}
	if last, err = restore(client, id, number, last); err != nil {
		return err
	}
	return remove(client, id, last)
}

// follow shows what happens to an app until it has had these statuses one after the other; it returns the id of the
// last event.
func follow(client *platform.Platform, id, after string, statuses ...string) (string, error) {
	last := after
	var failure error
	err := client.Follow(id, after, func(event *apps.AppEvent) bool {
		last = event.Id
		if line := event.GetLog(); line != nil {
			fmt.Println(" ", line.Message)
		}
		now := event.GetStatus()
		if now.GetProgress() > 0 {
			fmt.Printf("%d %% %s\n", now.GetProgress(), now.GetStepDescription())
		}
		if now.GetStatus() == "error" {
			failure = fmt.Errorf("%s failed: %s", id, now.GetMessage())
		}
		if now.GetStatus() == statuses[0] {
			statuses = statuses[1:]
		}
		return len(statuses) > 0 && failure == nil
	})
	if err == nil {
		err = failure
	}
	if err == nil && len(statuses) > 0 {
		err = fmt.Errorf("%s was removed before it was %s", id, statuses[0])
	}
	return last, err
}

func deploy(client *platform.Platform, hostname string) (id, last string, err error) {
	ctx, cancel := client.Context()
	defer cancel()
	app, err := client.Apps.DeployApp(ctx, &apps.DeployAppRequest{CatalogId: "adminer", Hostname: hostname})
	if err != nil {
		return "", "", err
	}
	if last, err = follow(client, app.Id, "0", "running"); err == nil {
		fmt.Println(app.Id, "is running")
	}
	return app.Id, last, err
}

func backUp(client *platform.Platform, id, after string) (number int32, last string, err error) {
	ctx, cancel := client.Context()
	defer cancel()
	made, err := client.Backups.CreateBackup(ctx, &backups.CreateBackupRequest{AppId: id})
	if err != nil {
		return 0, after, err
	}
	if last, err = follow(client, id, after, "backing_up", "running"); err != nil {
		return made.Id, last, err
	}
	// It is complete a moment after the app is free.
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(300 * time.Millisecond) {
		found, err := readBackup(client, id, made.Id)
		if err != nil {
			return made.Id, last, err
		}
		if !found.IsInProgress {
			fmt.Printf("backup %d is %s\n", found.Id, found.Status)
			return made.Id, last, nil
		}
	}
	return made.Id, last, fmt.Errorf("backup %d of %s is not done after a minute", made.Id, id)
}

func readBackup(client *platform.Platform, id string, number int32) (*backups.Backup, error) {
	ctx, cancel := client.Context()
	defer cancel()
	return client.Backups.GetBackup(ctx, &backups.GetBackupRequest{AppId: id, BackupId: number})
}

func restore(client *platform.Platform, id string, number int32, after string) (string, error) {
	ctx, cancel := client.Context()
	defer cancel()
	request := &backups.RestoreBackupRequest{AppId: id, BackupId: number}
	if _, err := client.Backups.RestoreBackup(ctx, request); err != nil {
		return after, err
	}
	last, err := follow(client, id, after, "restoring", "running")
	if err == nil {
		fmt.Println(id, "is restored")
	}
	return last, err
}

func remove(client *platform.Platform, id, after string) error {
	ctx, cancel := client.Context()
	defer cancel()
	if _, err := client.Apps.DeleteApp(ctx, &apps.DeleteAppRequest{AppId: id}); err != nil {
		return err
	}
	return client.Follow(id, after, func(event *apps.AppEvent) bool {
		if event.GetRemoved() != nil {
			fmt.Println(id, "is removed")
		}
		return true
	})
}

func setting(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}
