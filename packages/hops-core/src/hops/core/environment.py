"""The environment variables that hops reads or sets, one documented constant each.

The value of a constant is the variable's name; nothing is read when this module is imported.
A variable that is set to the empty string counts as not set, except for the lists of visible
devices, where empty means none. An argument of a call wins over a variable.
"""

__all__ = [
    "CUDA_VISIBLE_DEVICES",
    "EXECUTOR_GPUS",
    "EXEC_LOGFILE",
    "HADOOP_USER_NAME",
    "HDFS_USER",
    "HIP_VISIBLE_DEVICES",
    "HOPSWORKS_API_KEY",
    "HOPSWORKS_HOST",
    "HOPSWORKS_JOB_NAME",
    "HOPSWORKS_KERNEL_ID",
    "HOPSWORKS_PROJECT_ID",
    "HOPSWORKS_PROJECT_NAME",
    "HOPSWORKS_USER",
    "HOPS_ENGINE",
    "HOPS_LOGDIR",
    "HOPS_PLATFORM",
    "HOPS_PROJECT_DIR",
    "MATERIAL_DIRECTORY",
    "ML_ID",
    "REST_ENDPOINT",
    "ROCR_VISIBLE_DEVICES",
]

# Which project, on which platform.

HOPS_PLATFORM = "HOPS_PLATFORM"
"""The platform: `laptop`, `hopsworks` or `external`; wins over every other sign of one.

Default: `hopsworks` where `REST_ENDPOINT` and `HOPSWORKS_PROJECT_ID` are set, `external` where
`HOPSWORKS_HOST` and `HOPSWORKS_API_KEY` are set, else `laptop`. Set by the user, and by hops for
the processes that it starts.
"""

HOPS_PROJECT_DIR = "HOPS_PROJECT_DIR"
"""The directory of the laptop project: the root itself, not the directory above it.

An absolute path; a leading `~` is the home directory. It belongs to the project that
`HOPSWORKS_PROJECT_NAME` names; where that is not set, to the one that the program works in.
Default: `~/hops/<project>`. Set by the user, and by hops for the processes that it starts.
"""

HOPS_ENGINE = "HOPS_ENGINE"
"""Where experiments run: `local`, `spark` or `inline`.

Default: local processes on a laptop, Spark on a cluster. Set by the user.
"""

HOPSWORKS_PROJECT_NAME = "HOPSWORKS_PROJECT_NAME"
"""The name of the project.

Default on a laptop: `default`. Set by the cluster in every container, on a laptop by the user,
and by hops for the processes that it starts.
"""

HOPSWORKS_PROJECT_ID = "HOPSWORKS_PROJECT_ID"
"""The number of the project in the REST interface of Hopsworks.

No default; a laptop project has the number 0, whatever is set here. Set by the cluster.
"""

HOPSWORKS_USER = "HOPSWORKS_USER"
"""The login of the person who runs the program, without the project.

Default on a laptop: the login of the operating system. Set by the cluster, and by hops for the
processes that it starts.
"""

REST_ENDPOINT = "REST_ENDPOINT"
"""The URL of the cluster's REST interface, with scheme and port, without a path.

No default. Set by the cluster in every container; together with `HOPSWORKS_PROJECT_ID` the sign
that the program runs there.
"""

HOPSWORKS_HOST = "HOPSWORKS_HOST"
"""The host name of a Hopsworks cluster to be used from outside.

No default; needs `HOPSWORKS_API_KEY` beside it. Set by the user.
"""

HOPSWORKS_API_KEY = "HOPSWORKS_API_KEY"
"""The key that opens the cluster of `HOPSWORKS_HOST`. A secret: hops never prints it.

No default. Set by the user.
"""

# Which certificates.

MATERIAL_DIRECTORY = "MATERIAL_DIRECTORY"
"""The directory with the key store, the trust store and their password, named after the user.

No default; the files `k_certificate`, `t_certificate` and `material_passwd` of the working
directory win over it. Set by the cluster.
"""

HADOOP_USER_NAME = "HADOOP_USER_NAME"
"""The project user, `<project>__<login>`: whose files those of `MATERIAL_DIRECTORY` are.

Default: `HDFS_USER`. Set by the cluster.
"""

HDFS_USER = "HDFS_USER"
"""The project user where `HADOOP_USER_NAME` is not set.

No default. Set by the cluster.
"""

# Which GPUs.

EXECUTOR_GPUS = "EXECUTOR_GPUS"
"""How many GPUs the cluster granted to this process, a whole number; 0 on the driver.

Default: what the machine shows. Set by the cluster in every executor.
"""

CUDA_VISIBLE_DEVICES = "CUDA_VISIBLE_DEVICES"
"""The GPUs that CUDA programs may use: indexes or UUIDs, separated by commas; empty for none.

Default: all. Set by the user or a scheduler, and by hops for each trial. ROCm reads it too, where
`HIP_VISIBLE_DEVICES` is not set.
"""

HIP_VISIBLE_DEVICES = "HIP_VISIBLE_DEVICES"
"""The AMD GPUs that HIP programs may use: positions among those of `ROCR_VISIBLE_DEVICES`.

Default: all. Set by the user or a scheduler.
"""

ROCR_VISIBLE_DEVICES = "ROCR_VISIBLE_DEVICES"
"""The AMD GPUs that any ROCm program may use: indexes or UUIDs, separated by commas.

Default: all. Set by the user or a scheduler.
"""

# What is running.

ML_ID = "ML_ID"
"""The id of the run, `<application>_<number>`; the run's directory is `Experiments/<id>`.

No default. Set by hops, in the driver and in every trial.
"""

HOPS_LOGDIR = "HOPS_LOGDIR"
"""Where a trial logs for TensorBoard: an absolute path on its own host. Default: none; in no trial.

Set by hops.experiment for the trial, and so for its threads and the programs that it starts.
"""

EXEC_LOGFILE = "EXEC_LOGFILE"
"""The log file of the run: `Experiments/<id>/logfile`, seen from the root of the project.

No default. Set by hops in the driver.
"""

HOPSWORKS_JOB_NAME = "HOPSWORKS_JOB_NAME"
"""The name of the Hopsworks job that runs the program; recorded with each run.

No default. Set by the cluster for jobs.
"""

HOPSWORKS_KERNEL_ID = "HOPSWORKS_KERNEL_ID"
"""The id of the Jupyter kernel that runs the program; recorded with each run.

No default. Set by the cluster for notebooks.
"""
