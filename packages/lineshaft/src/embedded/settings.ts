/**
 * The settings of the server: what makes it ours is fixed, the rest may be set by the caller. Pure.
 */
import { EmbeddedError } from './errors.ts';

// Where it listens and who may connect; another value would open it to others or hide it from us.
const fixed: ReadonlySet<string> = new Set([
  'cluster_name',
  'config_file',
  'data_directory',
  'external_pid_file',
  'hba_file',
  'ident_file',
  'listen_addresses',
  'logging_collector',
  'port',
  'unix_socket_directories',
  'unix_socket_group',
  'unix_socket_permissions',
]);

/** Throws for a setting that can't be, or may not be, chosen. */
export function checkSettings(settings: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(settings)) {
    if (fixed.has(name.toLowerCase())) {
      throw new EmbeddedError('OPTION_INVALID', {
        message: `settings.${name} can't be set for the embedded PostgreSQL; leave it out`,
        details: { field: `settings.${name}` },
      });
    }
    if (!/^[A-Za-z_][\w.]*$/.test(name) || value.includes('\0')) {
      throw new EmbeddedError('OPTION_INVALID', {
        message: `settings.${name} is no name of a PostgreSQL setting, such as shared_buffers`,
        details: { field: `settings.${name}` },
      });
    }
  }
}

/** The command line of the server. */
export function serverArguments(
  plan: { data: string; socketDirectory: string; settings: Readonly<Record<string, string>> },
  cluster: string,
): string[] {
  const settings = {
    // Durable, whatever a configuration file in the data directory says; a caller may decide otherwise.
    fsync: 'on',
    synchronous_commit: 'on',
    full_page_writes: 'on',
    timezone: 'UTC',
    log_timezone: 'UTC',
    log_checkpoints: 'off',
    ...plan.settings,
    cluster_name: cluster,
    listen_addresses: '',
    logging_collector: 'off',
    port: '5432',
    unix_socket_directories: plan.socketDirectory,
    unix_socket_permissions: '0700',
  };
  return [
    '-D',
    plan.data,
    ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
  ];
}
