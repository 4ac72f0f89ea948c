// A framework on the mesos-go library: a scheduler that runs one task on an executor of its own.
//
//	framework scheduler MASTER_HOST:PORT json|protobuf
//	framework group MASTER_HOST:PORT json|protobuf
//	framework executor json|protobuf
//
// The scheduler prints every task state and exits with 0 once its task has finished with the data
// that the executor was given. As "group" it runs two tasks on the default executor, of which one
// fails, and exits with 0 once both have ended.
package main

import (
	"fmt"
	"os"

	"github.com/mesos/mesos-go/api/v1/lib/encoding"
	"github.com/mesos/mesos-go/api/v1/lib/encoding/codecs"
)

func codecOf(name string) encoding.Codec {
	if name == "json" {
		return codecs.ByMediaType[codecs.MediaTypeJSON]
	}
	return codecs.ByMediaType[codecs.MediaTypeProtobuf]
}

func main() {
	var err error
	switch {
	case len(os.Args) == 4 && os.Args[1] == "scheduler":
		err = runScheduler(os.Args[2], os.Args[3], &single{codec: os.Args[3]})
	case len(os.Args) == 4 && os.Args[1] == "group":
		err = runScheduler(os.Args[2], os.Args[3], &group{})
	case len(os.Args) == 3 && os.Args[1] == "executor":
		err = runExecutor(os.Args[2])
	default:
		err = fmt.Errorf("usage: framework scheduler|group HOST:PORT CODEC | framework executor CODEC")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "framework:", err)
		os.Exit(1)
	}
}
