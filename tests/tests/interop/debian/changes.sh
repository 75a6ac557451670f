# Run in a container of the Debian root: every way in which a layer can differ from what is below.
set -eu
export DEBIAN_FRONTEND=noninteractive

# A new package with a capability, libraries and its own tools; one that is there and changes its
# files; one that goes away with all that it has.
apt-get install --yes --no-install-recommends /packages/*.deb
getcap /usr/bin/ping | grep -q cap_net_raw
test ! -e /usr/share/doc/hostname/changelog.gz
dpkg --purge --force-all mawk
dpkg --audit

# What only root changes: attributes of what stays as it is.
setcap cap_net_bind_service=ep /usr/bin/perl
chmod 4711 /usr/bin/chfn
chown 12:34 /usr/bin/chage
touch -d 2001-02-03T04:05:06Z /etc/shells
chmod 0700 /srv
touch -d 1999-01-01T00:00:00Z /usr/share/man

# Changes of type.
rm /etc/issue.net; ln -s issue /etc/issue.net
rm /etc/issue; mkdir /etc/issue; echo file > /etc/issue/file
rm -r /usr/share/doc/dash; ln -s bash /usr/share/doc/dash
rm /bin/sh; cp /bin/dash /bin/sh
rm -r /usr/share/doc/tar; echo file > /usr/share/doc/tar

# Gone and made again, emptied, moved, and gone with all below.
rm -r /usr/share/doc/bash; mkdir /usr/share/doc/bash; echo new > /usr/share/doc/bash/new
rm -r /usr/share/doc/sed/*
mv /usr/share/common-licenses /usr/share/licences
rm -r /usr/share/zoneinfo

# Another name of what is there, one name of two less, and two names of something new.
ln /bin/dash /usr/local/bin/dash-too
echo twice > /var/tmp/one; ln /var/tmp/one /var/tmp/two
ln -s nowhere /var/tmp/link; ln /var/tmp/link /var/tmp/link-too

# Kinds, names and modes that are rare.
mkfifo -m 0622 /var/tmp/fifo
mknod -m 0666 /var/tmp/null c 1 3
touch "$(printf '/var/tmp/\377 \303\244 \n\\')" "/var/tmp/$(printf '%0250d' 0)"
mkdir -m 3777 /var/tmp/shared
touch /var/tmp/set; chmod 6755 /var/tmp/set
mkdir -p /var/tmp/closed/below; chmod 0 /var/tmp/closed

# Touched, and the same as before.
cp -p /etc/profile /tmp/profile; cat /tmp/profile > /etc/profile
touch -r /tmp/profile /etc/profile; rm /tmp/profile
