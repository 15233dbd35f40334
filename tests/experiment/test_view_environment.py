from hops.experiment.driver.view.environment import clean_environment


def test_secrets_are_left_out() -> None:
    """What is named like a secret, or holds a password in a URL, is not handed on."""
    secrets = {
        "HOPSWORKS_API_KEY": "k",
        "API_KEY": "k",
        "AWS_ACCESS_KEY_ID": "k",
        "AWS_PROFILE": "p",
        "HF_TOKEN": "t",
        "db_password": "p",
        "PGPASSWORD": "p",
        "MYSQL_PWD": "p",
        "GOOGLE_APPLICATION_CREDENTIALS": "/x",
        "DATABASE_URL": "mysql:x",
        "HTTPS_PROXY": "http://me:secret@proxy.invalid:3128",
    }
    kept = {
        "PATH": "/usr/bin",
        "HOME": "/home/ada",
        "LANG": "C.UTF-8",
        "PYTHONPATH": "src",
        "PWD": "/home/ada",
        "NO_PROXY": "localhost",
        "HTTP_PROXY": "http://proxy.invalid:3128",
    }

    cleaned = clean_environment(secrets | kept)

    assert {name: cleaned[name] for name in kept} == kept
    assert not secrets.keys() & cleaned.keys()


def test_no_devices_are_visible() -> None:
    """A helper process sees no GPU, whatever the driver sees."""
    cleaned = clean_environment({"CUDA_VISIBLE_DEVICES": "0,1"})

    assert cleaned == {"CUDA_VISIBLE_DEVICES": "", "HIP_VISIBLE_DEVICES": "-1"}
