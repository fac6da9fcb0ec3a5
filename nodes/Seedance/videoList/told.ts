/** Tells the list of videos what Get Status and Wait for Video have read. */
import { tellList } from '../../shared/idempotency/tellList';
import { stops } from '../run/output';
import { switchParameter } from '../run/fieldReading';
import type { Result } from '../run/result';
import type { Run } from '../run/run';

function isOn({ context }: Run): boolean {
	try {
		return switchParameter(context, 0, 'options.videoList', true);
	} catch {
		return false;
	}
}

/** The same results; those that are given out count as handed on. Never throws. */
export async function told(run: Run, results: Result[]): Promise<Result[]> {
	if (!isOn(run)) return results;
	const read = results.flatMap(({ task, problem }) =>
		task && (problem === undefined || task.state === 'failed') ? [task] : [],
	);
	await tellList(run.context, read, !stops(run, results));
	return results;
}
