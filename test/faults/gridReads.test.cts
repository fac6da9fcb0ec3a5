// The grid, where faults strike the reads of a task and the download of its video, or the API cannot be reached at all.
import { describeGrid } from './grid.cjs';

describeGrid('grid, reads', ['status', 'video'], true);
